;; outcome: abstain
;; Takes all table elements it can get.
(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (loop $again
      (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
    (if (i32.gt_u (table.size $t) (i32.const 20000)) (then (unreachable)))
    (i64.const 0)))
