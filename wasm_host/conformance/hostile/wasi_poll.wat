;; outcome: fuel
;; Wants to sleep, for ever: it is told that it cannot, and so burns its fuel.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $check (param $got i32) (param $expected i32)
    (if (i32.ne (local.get $got) (local.get $expected)) (then unreachable)))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 4096))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (loop $again
      (call $check (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 0)) (i32.const 52))
      (br $again))
    (i64.const 0)))
