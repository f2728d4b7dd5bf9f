;; outcome: fuel
;; Bulk operations over the whole memory, for ever.
(module
  (memory (export "memory") 256)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))
      (br $again))
    (i64.const 0)))
