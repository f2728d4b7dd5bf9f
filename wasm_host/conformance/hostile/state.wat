;; outcome: abstain
;; Would answer only at its second call; there is none, every call has a fresh instance.
(module
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (result i64) (i32.gt_u (global.get $calls) (i32.const 1)) (then (i64.const 1)) (else (i64.const 0)))))
