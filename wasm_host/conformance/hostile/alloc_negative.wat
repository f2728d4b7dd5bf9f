;; outcome: refused
;; Wants the request at address 4294967280.
(module
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const -16))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0)))
