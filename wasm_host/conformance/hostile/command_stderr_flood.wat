;; outcome: fuel
;; Does not stop to write to its standard error.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "\00\04\00\00\60\ea\00\00")
  (func (export "_start")
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 0)))
      (br $again))))
