;; load: export
;; A global called rule_v1_route.
(module
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (global (export "rule_v1_route") i32 (i32.const 0)))
