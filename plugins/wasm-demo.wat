;; A rule to see the custom phase at work: a request for the model `wasm-demo` is routed, every other one is left alone.
;;
;; The request is compact JSON with a fixed key order, and a quote inside a JSON string is always escaped. So the bytes
;; "model":"wasm-demo" can only be the field request.model itself: a user who writes them sends \"model\":\"wasm-demo\".
;;
;; The answer is OpenRouter's DeepSeek chat model where that is configured, else the first target of the request's list.
(module
  ;; Six pages: constants and the answer in the first 2 KiB, then room for the largest request (256 KiB).
  (memory (export "memory") 6)

  (data (i32.const 0) "\"model\":\"wasm-demo\"") ;; 19 bytes
  (data (i32.const 32) "{\"name\":\"openrouter,deepseek/deepseek-chat\"") ;; 43 bytes
  (data (i32.const 96) "{\"route\":\"openrouter,deepseek/deepseek-chat\",\"reason\":\"wasm_demo\"}") ;; 66 bytes
  (data (i32.const 192) "\"targets\":[{\"name\":\"") ;; 20 bytes
  (data (i32.const 224) "{\"route\":\"") ;; 10 bytes
  (data (i32.const 256) "\",\"reason\":\"wasm_demo\"}") ;; 23 bytes

  (global $answer i32 (i32.const 512))
  (global $request i32 (i32.const 2048))

  ;; One instance serves one request, so its buffer can always be the same.
  (func (export "rule_v1_alloc") (param $len i32) (result i32)
    (select (global.get $request) (i32.const 0) (i32.le_u (local.get $len) (i32.const 0x40000))))

  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (local $end i32) (local $name i32)
    (local.set $end (i32.add (local.get $ptr) (local.get $len)))
    (if (i32.eqz (call $find (local.get $ptr) (local.get $end) (i32.const 0) (i32.const 19)))
      (then (return (i64.const 0))))
    (if (call $find (local.get $ptr) (local.get $end) (i32.const 32) (i32.const 43))
      (then (return (call $pack (i32.const 96) (i32.const 66)))))
    (local.set $name (call $find (local.get $ptr) (local.get $end) (i32.const 192) (i32.const 20)))
    (if (i32.eqz (local.get $name))
      (then (return (i64.const 0))))
    (call $route_to (local.get $name) (call $string_end (local.get $name) (local.get $end))))

  ;; The address after the first occurrence of needle[0..count] in [at, end), or 0.
  (func $find (param $at i32) (param $end i32) (param $needle i32) (param $count i32) (result i32)
    (local $matched i32)
    (loop $next
      (if (i32.gt_u (i32.add (local.get $at) (local.get $count)) (local.get $end))
        (then (return (i32.const 0))))
      (local.set $matched (i32.const 0))
      (block $differs
        (loop $more
          (br_if $differs (i32.ne
            (i32.load8_u (i32.add (local.get $at) (local.get $matched)))
            (i32.load8_u (i32.add (local.get $needle) (local.get $matched)))))
          (local.set $matched (i32.add (local.get $matched) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $matched) (local.get $count))))
        (return (i32.add (local.get $at) (local.get $count))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; The address of the quote that closes the string beginning at `at`; an escaped character is passed over whole.
  (func $string_end (param $at i32) (param $end i32) (result i32)
    (local $char i32)
    (loop $next
      (if (i32.ge_u (local.get $at) (local.get $end))
        (then (return (local.get $end))))
      (local.set $char (i32.load8_u (local.get $at)))
      (if (i32.eq (local.get $char) (i32.const 0x22)) ;; "
        (then (return (local.get $at))))
      (local.set $at (i32.add (local.get $at)
        (select (i32.const 2) (i32.const 1) (i32.eq (local.get $char) (i32.const 0x5c))))) ;; \
      (br $next))
    (unreachable))

  ;; {"route":"…","reason":"wasm_demo"} around the name in [from, to).
  (func $route_to (param $from i32) (param $to i32) (result i64)
    (local $length i32)
    (local.set $length (i32.sub (local.get $to) (local.get $from)))
    (if (i32.gt_u (local.get $length) (i32.const 1024)) ;; no real name; the answer's room ends there
      (then (return (i64.const 0))))
    (memory.copy (global.get $answer) (i32.const 224) (i32.const 10))
    (memory.copy (i32.add (global.get $answer) (i32.const 10)) (local.get $from) (local.get $length))
    (memory.copy (i32.add (i32.add (global.get $answer) (i32.const 10)) (local.get $length)) (i32.const 256) (i32.const 23))
    (call $pack (global.get $answer) (i32.add (local.get $length) (i32.const 33))))

  ;; pointer << 32 | length
  (func $pack (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))
