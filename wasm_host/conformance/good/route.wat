;; outcome: route
;; Names a configured target.
(module
  (memory (export "memory") 1)
  (data (i32.const 16) "{\"route\":\"a,b\",\"reason\":\"because\",\"score\":800}")
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x100000002e)))
