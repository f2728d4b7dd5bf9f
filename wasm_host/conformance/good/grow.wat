;; outcome: route
;; Grows its memory within the limit, and answers from the new page.
(module
  (memory (export "memory") 1)
  (data $answer "{\"route\":\"a,b\"}")
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (drop (memory.grow (i32.const 2)))
    (memory.init $answer (i32.const 0x10000) (i32.const 0) (i32.const 15))
    (i64.const 0x100000000000f)))
