;; load: start
;; Ends before it begins.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $early (call $proc_exit (i32.const 0)))
  (start $early)
  (func (export "_start")))
