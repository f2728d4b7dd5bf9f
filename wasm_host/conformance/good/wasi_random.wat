;; outcome: abstain
;; Randomness is there, and goes on.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $check (param $got i32) (param $expected i32)
    (if (i32.ne (local.get $got) (local.get $expected)) (then unreachable)))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 4096))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (call $check (call $random_get (i32.const 8) (i32.const 8)) (i32.const 0))
    (call $check (call $random_get (i32.const 16) (i32.const 8)) (i32.const 0))
    (if (i64.eqz (i64.load (i32.const 8))) (then unreachable))
    (if (i64.eq (i64.load (i32.const 8)) (i64.load (i32.const 16))) (then unreachable))
    (i64.const 0)))
