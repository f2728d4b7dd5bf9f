;; outcome: trap
;; Calls itself for ever.
(module
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func $down (param i32) (result i32) (i32.add (call $down (local.get 0)) (i32.const 1)))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (i64.extend_i32_u (call $down (i32.const 0)))))
