;; outcome: refused
;; Deep nesting in a key that would be ignored.
(module
  (memory (export "memory") 1)
  (data (i32.const 16) "{\"x\":")
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (memory.fill (i32.const 21) (i32.const 91) (i32.const 5000))
    (memory.fill (i32.const 5021) (i32.const 93) (i32.const 5000))
    (i32.store8 (i32.const 10021) (i32.const 125))
    (i64.const 0x1000002716)))
