;; outcome: refused
;; 10 000 opening brackets.
(module
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (memory.fill (i32.const 16) (i32.const 91) (i32.const 10000))
    (i64.const 0x1000002710)))
