;; Requests of plan mode go to the configured target. See README.md.

(@custom "terraphim.rule.v1"
  "{\"rule\":{\"name\":\"plan-mode\",\"version\":\"1.0.0\",\"input\":[\"request.plan_mode\",\"request.message_count\"]}}")

(data (i32.const 0) "config")
(data (i32.const 16) "planner")
(data (i32.const 32) "request")
(data (i32.const 48) "plan_mode")
(data (i32.const 64) ",\"reason\":\"plan_mode\"}")
(data (i32.const 96) "message_count")
(data (i32.const 112) "max_messages")

(func $decide (param $view i64) (result i64)
  (local $config i64) (local $target i64)
  (local.set $config (call $get (local.get $view) (i32.const 0) (i32.const 6)))
  (local.set $target (call $get (local.get $config) (i32.const 16) (i32.const 7)))
  (if (i32.eqz (call $is_string (local.get $target)))
    (then (return (i64.const 0))))

  (local.set $view (call $get (local.get $view) (i32.const 32) (i32.const 7)))
  (if (i32.eqz (call $is_true (call $get (local.get $view) (i32.const 48) (i32.const 9))))
    (then (return (i64.const 0))))
  ;; A conversation that is longer already stays where it is.
  (if (i64.gt_s
        (call $int (call $get (local.get $view) (i32.const 96) (i32.const 13)) (i64.const 0))
        (call $int (call $get (local.get $config) (i32.const 112) (i32.const 12)) (i64.const 0x7fffffffffffffff)))
    (then (return (i64.const 0))))
  (call $route (local.get $target) (i32.const 64) (i32.const 22)))
