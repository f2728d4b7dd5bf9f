;; outcome: trap
;; Calls a function by another type.
(module
  (memory (export "memory") 1)
  (type $f (func (result i64)))
  (table 1 funcref)
  (elem (i32.const 0) $nothing)
  (func $nothing)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (call_indirect (type $f) (i32.const 0))))
