;; outcome: route
;; Reads the request to its end, byte by byte, and answers if it began with a brace.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\"route\":\"a,b\"}")
  (data (i32.const 8) "\00\04\00\00\0f\00\00\00")
  (data (i32.const 16) "\20\00\00\00\01\00\00\00")
  (func (export "_start") (local $first i32)
    (loop $again
      (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 0)))
      (if (i32.eqz (local.get $first)) (then (local.set $first (i32.load8_u (i32.const 32)))))
      (br_if $again (i32.load (i32.const 0))))
    (if (i32.eq (local.get $first) (i32.const 123)) (then
      (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))))
