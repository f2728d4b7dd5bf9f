;; load: command
;; A program instead of a rule.
(module
  (memory (export "memory") 1)
  (func (export "_start")))
