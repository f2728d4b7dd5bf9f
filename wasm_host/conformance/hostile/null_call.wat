;; outcome: trap
;; Calls an empty table slot.
(module
  (memory (export "memory") 1)
  (type $f (func))
  (table 2 funcref)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (call_indirect (type $f) (i32.const 1))
    (i64.const 0)))
