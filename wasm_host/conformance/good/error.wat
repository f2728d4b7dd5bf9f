;; outcome: error
;; Says itself that it failed.
(module
  (memory (export "memory") 1)
  (data (i32.const 16) "{\"error\":{\"code\":\"no_config\",\"message\":\"set threshold\"}}")
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x1000000038)))
