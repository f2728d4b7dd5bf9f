;; outcome: abstain
;; A program that says nothing.
(module
  (memory (export "memory") 1)
  (func (export "_start")))
