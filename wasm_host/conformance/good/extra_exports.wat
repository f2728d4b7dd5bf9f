;; outcome: abstain
;; Exports of other names and kinds are nobody's business.
(module
  (memory (export "memory") 1)
  (table (export "table") 4 funcref)
  (global (export "__heap_base") i32 (i32.const 2048))
  (func (export "rule_v2_route") (param i32) (result i32) (i32.const 0))
  (func (export "_start"))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0)))
