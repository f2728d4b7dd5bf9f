;; load: compile
;; Atomics on ordinary memory.
(module
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
    (i64.const 0)))
