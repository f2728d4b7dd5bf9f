;; outcome: abstain
;; Takes all memory it can get; beyond the limit it gets none.
(module
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (if (i32.gt_u (memory.size) (i32.const 256)) (then (unreachable)))
    (i64.const 0)))
