;; Long requests, and those with one of the configured words in the user's last text, go to the configured target.
;;
;; A module may leave out "(module": build.sh joins this file, json.wat and terraphim.wat into one.

;; Names, and the texts that begin and end an answer, each with its length in terraphim.wat's $find and $route.
(data (i32.const 0) "config")
(data (i32.const 16) "target")
(data (i32.const 32) "threshold")
(data (i32.const 48) "request")
(data (i32.const 64) "token_count")
(data (i32.const 80) "last_user")
(data (i32.const 96) "words")
(data (i32.const 112) ",\"reason\":\"long\"}")
(data (i32.const 144) ",\"reason\":\"word\"}")

;; The answer to a request: address << 32 | length; 0 abstains.
(func $decide (param $view i64) (result i64)
  (local $config i64) (local $target i64) (local $words i64) (local $word i64) (local $text i64)
  (local.set $config (call $get (local.get $view) (i32.const 0) (i32.const 6)))
  (local.set $target (call $get (local.get $config) (i32.const 16) (i32.const 6)))
  (if (i32.eqz (call $is_string (local.get $target)))
    (then (return (i64.const 0))))

  (local.set $view (call $get (local.get $view) (i32.const 48) (i32.const 7)))
  (if (i64.gt_s
        (call $int (call $get (local.get $view) (i32.const 64) (i32.const 11)) (i64.const 0))
        (call $int (call $get (local.get $config) (i32.const 32) (i32.const 9)) (i64.const 0x7fffffffffffffff)))
    (then (return (call $route (local.get $target) (i32.const 112) (i32.const 17)))))

  (local.set $text (call $get (local.get $view) (i32.const 80) (i32.const 9)))
  (local.set $words (call $get (local.get $config) (i32.const 96) (i32.const 5)))
  (local.set $word (call $first (local.get $words)))
  (block $end
    (loop $next
      (br_if $end (i64.eqz (local.get $word)))
      (if (call $contains (local.get $text) (local.get $word))
        (then (return (call $route (local.get $target) (i32.const 144) (i32.const 17)))))
      (local.set $word (call $next (local.get $words) (local.get $word)))
      (br $next)))
  (i64.const 0))
