;; outcome: abstain
;; Every clock stands at the request's time; there is no fifth one.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func $check (param $got i32) (param $expected i32)
    (if (i32.ne (local.get $got) (local.get $expected)) (then unreachable)))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 4096))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64) (local $clock i32)
    (loop $next
      (call $check (call $clock_time_get (local.get $clock) (i64.const 0) (i32.const 8)) (i32.const 0))
      (if (i64.ne (i64.load (i32.const 8)) (i64.const 1763800000000000000)) (then unreachable))
      (local.set $clock (i32.add (local.get $clock) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $clock) (i32.const 4))))
    (call $check (call $clock_time_get (i32.const 4) (i64.const 0) (i32.const 8)) (i32.const 28))
    (i64.const 0)))
