;; outcome: error
;; Hopes to go on after the end.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $check (param $got i32) (param $expected i32)
    (if (i32.ne (local.get $got) (local.get $expected)) (then unreachable)))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 4096))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (loop $again
      (call $proc_exit (i32.const 7))
      (br $again))
    (i64.const 0)))
