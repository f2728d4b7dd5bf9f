;; outcome: route
;; _initialize runs before the request, in every instance.
(module
  (memory (export "memory") 1)
  (global $ready (mut i32) (i32.const 0))
  (data (i32.const 16) "{\"route\":\"a,b\"}")
  (func (export "_initialize") (global.set $ready (i32.const 1)))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (if (result i64) (global.get $ready) (then (i64.const 0x100000000f)) (else (unreachable)))))
