;; load: text
;; Text that is not WebAssembly.
(module
  (func (export "rule_v1_route") (oops)))
