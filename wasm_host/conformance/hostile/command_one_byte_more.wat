;; outcome: refused
;; An answer of 16 KiB and one byte.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\"route\":\"a,b\"}")
  (data (i32.const 8) "\00\04\00\00\01\40\00\00")
  (func (export "_start")
    (memory.fill (i32.const 1039) (i32.const 32) (i32.const 16384))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))
