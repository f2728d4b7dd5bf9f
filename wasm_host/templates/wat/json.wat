
;; A small, strict JSON reader. $parse checks a whole text; after that, everything else only finds.
;;
;; A value is end << 32 | start, two addresses; 0 is no value. Strings are compared by the characters that they mean,
;; escapes decoded; of members with one name the last counts; an integer is one that is written without fraction and
;; exponent and that every language can hold (below 2^53).

(func $start (param $value i64) (result i32) (i32.wrap_i64 (local.get $value)))
(func $end (param $value i64) (result i32) (i32.wrap_i64 (i64.shr_u (local.get $value) (i64.const 32))))
(func $value (param $start i32) (param $end i32) (result i64)
  (i64.or (i64.shl (i64.extend_i32_u (local.get $end)) (i64.const 32)) (i64.extend_i32_u (local.get $start))))

;; The byte at an address below `last`; -1 elsewhere.
(func $byte (param $at i32) (param $last i32) (result i32)
  (if (result i32) (i32.lt_u (local.get $at) (local.get $last))
    (then (i32.load8_u (local.get $at)))
    (else (i32.const -1))))

;; Whether a value begins with a character.
(func $begins (param $value i64) (param $char i32) (result i32)
  (i32.and (i64.ne (local.get $value) (i64.const 0))
    (i32.eq (i32.load8_u (call $start (local.get $value))) (local.get $char))))
(func $is_string (param $value i64) (result i32) (call $begins (local.get $value) (i32.const 0x22)))
(func $is_true (param $value i64) (result i32) (call $begins (local.get $value) (i32.const 0x74)))

;; The value that a text is; 0 if it is not JSON from its first to its last byte, or nested too deep.
(func $parse (param $at i32) (param $last i32) (result i64)
  (local $end i32)
  (local.set $at (call $space (local.get $at) (local.get $last)))
  (local.set $end (call $value_end (local.get $at) (local.get $last) (i32.const 0)))
  (if (i32.or (i32.eqz (local.get $end))
        (i32.ne (call $space (local.get $end) (local.get $last)) (local.get $last)))
    (then (return (i64.const 0))))
  (call $value (local.get $at) (local.get $end)))

;; The integer that a value is, or `otherwise`.
(func $int (param $value i64) (param $otherwise i64) (result i64)
  (local $at i32) (local $char i32) (local $number i64)
  (if (i64.eqz (local.get $value))
    (then (return (local.get $otherwise))))
  (local.set $at (i32.add (call $start (local.get $value)) (call $begins (local.get $value) (i32.const 0x2d))))
  (loop $next
    (local.set $char (i32.sub (i32.load8_u (local.get $at)) (i32.const 0x30)))
    (if (i32.gt_u (local.get $char) (i32.const 9))
      (then (return (local.get $otherwise))))
    (local.set $number
      (i64.add (i64.mul (local.get $number) (i64.const 10)) (i64.extend_i32_u (local.get $char))))
    (if (i64.gt_s (local.get $number) (i64.const 9007199254740991))
      (then (return (local.get $otherwise))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $at) (call $end (local.get $value)))))
  (select (i64.sub (i64.const 0) (local.get $number)) (local.get $number)
    (call $begins (local.get $value) (i32.const 0x2d))))

;; The last member of an object whose name is the `count` bytes at `name`.
(func $get (param $object i64) (param $name i32) (param $count i32) (result i64)
  (local $at i32) (local $last i32) (local $key i32) (local $found i64)
  (if (i32.eqz (call $begins (local.get $object) (i32.const 0x7b)))
    (then (return (i64.const 0))))
  (local.set $last (call $end (local.get $object)))
  (local.set $key (call $space (i32.add (call $start (local.get $object)) (i32.const 1)) (local.get $last)))
  (loop $next
    (if (i32.ne (i32.load8_u (local.get $key)) (i32.const 0x22))
      (then (return (local.get $found))))
    (local.set $at (call $string_end (local.get $key) (local.get $last)))
    (if (call $same
          (i32.add (local.get $key) (i32.const 1)) (i32.sub (local.get $at) (i32.const 1))
          (local.get $name) (i32.add (local.get $name) (local.get $count)))
      (then (local.set $found (call $member (local.get $at) (local.get $last)))))
    (local.set $key
      (call $space (call $end (call $member (local.get $at) (local.get $last))) (local.get $last)))
    (if (i32.ne (i32.load8_u (local.get $key)) (i32.const 0x2c))
      (then (return (local.get $found))))
    (local.set $key (call $space (i32.add (local.get $key) (i32.const 1)) (local.get $last)))
    (br $next))
  (unreachable))

;; The value after a member's name, which ends at `at`.
(func $member (param $at i32) (param $last i32) (result i64)
  (local.set $at
    (call $space (i32.add (call $space (local.get $at) (local.get $last)) (i32.const 1)) (local.get $last)))
  (call $value (local.get $at) (call $value_end (local.get $at) (local.get $last) (i32.const 0))))

;; The first item of an array, and the one after an item; 0 at the end.
(func $first (param $array i64) (result i64)
  (if (i32.eqz (call $begins (local.get $array) (i32.const 0x5b)))
    (then (return (i64.const 0))))
  (call $item (local.get $array) (i32.add (call $start (local.get $array)) (i32.const 1))))

(func $next (param $array i64) (param $item i64) (result i64)
  (local $at i32)
  (local.set $at (call $space (call $end (local.get $item)) (call $end (local.get $array))))
  (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x2c))
    (then (return (i64.const 0))))
  (call $item (local.get $array) (i32.add (local.get $at) (i32.const 1))))

(func $item (param $array i64) (param $at i32) (result i64)
  (local.set $at (call $space (local.get $at) (call $end (local.get $array))))
  (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x5d))
    (then (return (i64.const 0))))
  (call $value (local.get $at) (call $value_end (local.get $at) (call $end (local.get $array)) (i32.const 0))))

;; Whether the characters of two ranges, each without its quotes, are the same.
(func $same (param $a i32) (param $a_end i32) (param $b i32) (param $b_end i32) (result i32)
  (local $char i32)
  (loop $next
    (local.set $char (call $char (local.get $a) (local.get $a_end)))
    (local.set $a (global.get $after))
    (if (i32.ne (local.get $char) (call $char (local.get $b) (local.get $b_end)))
      (then (return (i32.const 0))))
    (local.set $b (global.get $after))
    (br_if $next (i32.ne (local.get $char) (i32.const -1))))
  (i32.const 1))

;; Whether both are strings of the same characters.
(func $equals (param $one i64) (param $other i64) (result i32)
  (if (i32.eqz (i32.and (call $is_string (local.get $one)) (call $is_string (local.get $other))))
    (then (return (i32.const 0))))
  (call $same
    (i32.add (call $start (local.get $one)) (i32.const 1)) (i32.sub (call $end (local.get $one)) (i32.const 1))
    (i32.add (call $start (local.get $other)) (i32.const 1)) (i32.sub (call $end (local.get $other)) (i32.const 1))))

;; Whether a string holds another one that is not empty, A to Z being the same as a to z.
(func $contains (param $text i64) (param $word i64) (result i32)
  (local $at i32) (local $last i32)
  (if (i32.eqz (i32.and (call $is_string (local.get $text)) (call $is_string (local.get $word))))
    (then (return (i32.const 0))))
  (if (i32.eq (i32.sub (call $end (local.get $word)) (call $start (local.get $word))) (i32.const 2))
    (then (return (i32.const 0))))
  (local.set $at (i32.add (call $start (local.get $text)) (i32.const 1)))
  (local.set $last (i32.sub (call $end (local.get $text)) (i32.const 1)))
  (loop $next
    (if (call $begins_with (local.get $at) (local.get $last)
          (i32.add (call $start (local.get $word)) (i32.const 1)) (i32.sub (call $end (local.get $word)) (i32.const 1)))
      (then (return (i32.const 1))))
    (if (i32.eq (call $char (local.get $at) (local.get $last)) (i32.const -1))
      (then (return (i32.const 0))))
    (local.set $at (global.get $after))
    (br $next))
  (unreachable))

(func $begins_with (param $at i32) (param $last i32) (param $word i32) (param $word_end i32) (result i32)
  (local $char i32)
  (loop $next
    (local.set $char (call $char (local.get $word) (local.get $word_end)))
    (local.set $word (global.get $after))
    (if (i32.eq (local.get $char) (i32.const -1))
      (then (return (i32.const 1))))
    (if (i32.ne (call $lower (local.get $char)) (call $lower (call $char (local.get $at) (local.get $last))))
      (then (return (i32.const 0))))
    (local.set $at (global.get $after))
    (br $next))
  (unreachable))

(func $lower (param $char i32) (result i32)
  (i32.add (local.get $char)
    (i32.shl (i32.le_u (i32.sub (local.get $char) (i32.const 0x41)) (i32.const 25)) (i32.const 5))))

;; Where the character ends that $char returned last.
(global $after (mut i32) (i32.const 0))

;; The character at `at` inside a string that ends before `last`, as its Unicode number; -1 after the last one.
(func $char (param $at i32) (param $last i32) (result i32)
  (local $number i32)
  (global.set $after (local.get $at))
  (if (i32.ge_u (local.get $at) (local.get $last))
    (then (return (i32.const -1))))
  (local.set $number (call $take))
  (if (i32.eq (local.get $number) (i32.const 0x5c))
    (then (return (call $escape (local.get $last)))))
  (if (i32.lt_u (local.get $number) (i32.const 0x80))
    (then (return (local.get $number))))
  (local.set $number
    (i32.and (local.get $number)
      (select (i32.const 0x1f)
        (select (i32.const 0x0f) (i32.const 0x07) (i32.lt_u (local.get $number) (i32.const 0xf0)))
        (i32.lt_u (local.get $number) (i32.const 0xe0)))))
  (loop $next
    (if (i32.eq (i32.and (call $byte (global.get $after) (local.get $last)) (i32.const 0x800000c0)) (i32.const 0x80))
      (then
        (local.set $number
          (i32.or (i32.shl (local.get $number) (i32.const 6)) (i32.and (call $take) (i32.const 0x3f))))
        (br $next))))
  (local.get $number))

(func $take (result i32)
  (global.set $after (i32.add (global.get $after) (i32.const 1)))
  (i32.load8_u (i32.sub (global.get $after) (i32.const 1))))

;; The character of the escape after a backslash; half a surrogate pair is U+FFFD.
(func $escape (param $last i32) (result i32)
  (local $one i32) (local $two i32) (local $before i32)
  (local.set $one (call $take))
  (if (i32.eq (local.get $one) (i32.const 0x62)) (then (return (i32.const 0x08))))
  (if (i32.eq (local.get $one) (i32.const 0x66)) (then (return (i32.const 0x0c))))
  (if (i32.eq (local.get $one) (i32.const 0x6e)) (then (return (i32.const 0x0a))))
  (if (i32.eq (local.get $one) (i32.const 0x72)) (then (return (i32.const 0x0d))))
  (if (i32.eq (local.get $one) (i32.const 0x74)) (then (return (i32.const 0x09))))
  (if (i32.ne (local.get $one) (i32.const 0x75)) (then (return (local.get $one))))
  (local.set $one (call $hex4))
  (if (i32.ne (i32.and (local.get $one) (i32.const 0xf800)) (i32.const 0xd800))
    (then (return (local.get $one))))
  (local.set $before (global.get $after))
  (if (i32.or
        (i32.gt_u (local.get $one) (i32.const 0xdbff))
        (i32.or
          (i32.ne (call $byte (local.get $before) (local.get $last)) (i32.const 0x5c))
          (i32.ne (call $byte (i32.add (local.get $before) (i32.const 1)) (local.get $last)) (i32.const 0x75))))
    (then (return (i32.const 0xfffd))))
  (global.set $after (i32.add (local.get $before) (i32.const 2)))
  (local.set $two (call $hex4))
  (if (i32.ne (i32.and (local.get $two) (i32.const 0xfc00)) (i32.const 0xdc00))
    (then
      (global.set $after (local.get $before))
      (return (i32.const 0xfffd))))
  (i32.add (i32.const 0x10000)
    (i32.or (i32.shl (i32.and (local.get $one) (i32.const 0x3ff)) (i32.const 10))
      (i32.and (local.get $two) (i32.const 0x3ff)))))

(func $hex4 (result i32)
  (local $number i32) (local $count i32)
  (loop $next
    (local.set $number (i32.or (i32.shl (local.get $number) (i32.const 4)) (call $hex (call $take))))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $count) (i32.const 4))))
  (local.get $number))

(func $hex (param $char i32) (result i32)
  (if (call $is_digit (local.get $char))
    (then (return (i32.sub (local.get $char) (i32.const 0x30)))))
  (local.set $char (i32.sub (i32.or (local.get $char) (i32.const 0x20)) (i32.const 0x61)))
  (select (i32.add (local.get $char) (i32.const 10)) (i32.const -1) (i32.lt_u (local.get $char) (i32.const 6))))

(func $is_digit (param $char i32) (result i32)
  (i32.lt_u (i32.sub (local.get $char) (i32.const 0x30)) (i32.const 10)))

;; The grammar (RFC 8259): each returns the address after what begins at `at`, or 0 if it is broken.

(func $space (param $at i32) (param $last i32) (result i32)
  (local $char i32)
  (loop $next
    (local.set $char (call $byte (local.get $at) (local.get $last)))
    (if (i32.or
          (i32.or (i32.eq (local.get $char) (i32.const 0x20)) (i32.eq (local.get $char) (i32.const 0x09)))
          (i32.or (i32.eq (local.get $char) (i32.const 0x0a)) (i32.eq (local.get $char) (i32.const 0x0d))))
      (then
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))))
  (local.get $at))

(func $value_end (param $at i32) (param $last i32) (param $depth i32) (result i32)
  (local $char i32)
  (if (i32.or (i32.ge_u (local.get $at) (local.get $last)) (i32.gt_u (local.get $depth) (i32.const 128)))
    (then (return (i32.const 0))))
  (local.set $char (i32.load8_u (local.get $at)))
  (if (i32.eq (local.get $char) (i32.const 0x22)) ;; "
    (then (return (call $string_end (local.get $at) (local.get $last)))))
  (if (i32.eq (local.get $char) (i32.const 0x7b)) ;; {
    (then (return (call $inside (local.get $at) (local.get $last) (local.get $depth) (i32.const 0x7d)))))
  (if (i32.eq (local.get $char) (i32.const 0x5b)) ;; [
    (then (return (call $inside (local.get $at) (local.get $last) (local.get $depth) (i32.const 0x5d)))))
  (if (i32.eq (local.get $char) (i32.const 0x74)) ;; true
    (then (return (call $word (local.get $at) (local.get $last) (i32.const 1040) (i32.const 4)))))
  (if (i32.eq (local.get $char) (i32.const 0x66)) ;; false
    (then (return (call $word (local.get $at) (local.get $last) (i32.const 1044) (i32.const 5)))))
  (if (i32.eq (local.get $char) (i32.const 0x6e)) ;; null
    (then (return (call $word (local.get $at) (local.get $last) (i32.const 1049) (i32.const 4)))))
  (call $number (local.get $at) (local.get $last)))
(data (i32.const 1040) "truefalsenull\"\\/bfnrt")

;; The members of an object or the items of an array, up to the closing character.
(func $inside (param $at i32) (param $last i32) (param $depth i32) (param $close i32) (result i32)
  (local.set $at (call $space (i32.add (local.get $at) (i32.const 1)) (local.get $last)))
  (if (i32.eq (call $byte (local.get $at) (local.get $last)) (local.get $close))
    (then (return (i32.add (local.get $at) (i32.const 1)))))
  (loop $next
    (if (i32.eq (local.get $close) (i32.const 0x7d))
      (then
        (if (i32.ne (call $byte (local.get $at) (local.get $last)) (i32.const 0x22))
          (then (return (i32.const 0))))
        (local.set $at (call $string_end (local.get $at) (local.get $last)))
        (if (i32.eqz (local.get $at))
          (then (return (i32.const 0))))
        (local.set $at (call $space (local.get $at) (local.get $last)))
        (if (i32.ne (call $byte (local.get $at) (local.get $last)) (i32.const 0x3a))
          (then (return (i32.const 0))))
        (local.set $at (call $space (i32.add (local.get $at) (i32.const 1)) (local.get $last)))))
    (local.set $at
      (call $value_end (local.get $at) (local.get $last) (i32.add (local.get $depth) (i32.const 1))))
    (if (i32.eqz (local.get $at))
      (then (return (i32.const 0))))
    (local.set $at (call $space (local.get $at) (local.get $last)))
    (if (i32.eq (call $byte (local.get $at) (local.get $last)) (local.get $close))
      (then (return (i32.add (local.get $at) (i32.const 1)))))
    (if (i32.ne (call $byte (local.get $at) (local.get $last)) (i32.const 0x2c))
      (then (return (i32.const 0))))
    (local.set $at (call $space (i32.add (local.get $at) (i32.const 1)) (local.get $last)))
    (br $next))
  (unreachable))

(func $string_end (param $at i32) (param $last i32) (result i32)
  (local $char i32)
  (loop $next
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (local.set $char (call $byte (local.get $at) (local.get $last)))
    (if (i32.eq (local.get $char) (i32.const 0x22))
      (then (return (i32.add (local.get $at) (i32.const 1)))))
    (if (i32.lt_s (local.get $char) (i32.const 0x20)) ;; a control character, or the end
      (then (return (i32.const 0))))
    (if (i32.eq (local.get $char) (i32.const 0x5c))
      (then
        (local.set $at (call $escape_end (i32.add (local.get $at) (i32.const 1)) (local.get $last)))
        (if (i32.eqz (local.get $at))
          (then (return (i32.const 0))))))
    (br $next))
  (unreachable))

;; The address of the last byte of the escape whose letter is at `at`.
(func $escape_end (param $at i32) (param $last i32) (result i32)
  (local $char i32) (local $index i32)
  (local.set $char (call $byte (local.get $at) (local.get $last)))
  (if (i32.eq (local.get $char) (i32.const 0x75))
    (then
      (loop $digits
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.lt_s (call $hex (call $byte (local.get $at) (local.get $last))) (i32.const 0))
          (then (return (i32.const 0))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br_if $digits (i32.lt_u (local.get $index) (i32.const 4))))
      (return (local.get $at))))
  (loop $letters
    (if (i32.eq (local.get $char) (i32.load8_u offset=1053 (local.get $index)))
      (then (return (local.get $at))))
    (local.set $index (i32.add (local.get $index) (i32.const 1)))
    (br_if $letters (i32.lt_u (local.get $index) (i32.const 8))))
  (i32.const 0))

(func $word (param $at i32) (param $last i32) (param $word i32) (param $count i32) (result i32)
  (loop $next
    (if (i32.ne (call $byte (local.get $at) (local.get $last)) (i32.load8_u (local.get $word)))
      (then (return (i32.const 0))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (local.set $word (i32.add (local.get $word) (i32.const 1)))
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (br_if $next (local.get $count)))
  (local.get $at))

(func $number (param $at i32) (param $last i32) (result i32)
  (local $char i32)
  (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x2d)) ;; -
    (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
  (if (i32.eq (call $byte (local.get $at) (local.get $last)) (i32.const 0x30))
    (then (local.set $at (i32.add (local.get $at) (i32.const 1))))
    (else (local.set $at (call $digits (local.get $at) (local.get $last)))))
  (if (i32.and (i32.ne (local.get $at) (i32.const 0))
        (i32.eq (call $byte (local.get $at) (local.get $last)) (i32.const 0x2e))) ;; .
    (then (local.set $at (call $digits (i32.add (local.get $at) (i32.const 1)) (local.get $last)))))
  (if (i32.eqz (local.get $at))
    (then (return (i32.const 0))))
  (if (i32.ne (i32.or (call $byte (local.get $at) (local.get $last)) (i32.const 0x20)) (i32.const 0x65)) ;; e, E
    (then (return (local.get $at))))
  (local.set $at (i32.add (local.get $at) (i32.const 1)))
  (local.set $char (call $byte (local.get $at) (local.get $last)))
  (call $digits
    (i32.add (local.get $at)
      (i32.or (i32.eq (local.get $char) (i32.const 0x2b)) (i32.eq (local.get $char) (i32.const 0x2d))))
    (local.get $last)))

(func $digits (param $at i32) (param $last i32) (result i32)
  (local $begin i32)
  (local.set $begin (local.get $at))
  (loop $next
    (if (call $is_digit (call $byte (local.get $at) (local.get $last)))
      (then
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))))
  (select (local.get $at) (i32.const 0) (i32.gt_u (local.get $at) (local.get $begin))))
