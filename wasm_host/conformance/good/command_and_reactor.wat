;; outcome: abstain
;; Has both shapes, and so is a reactor.
(module
  (memory (export "memory") 1)
  (func (export "_start") unreachable)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0)))
