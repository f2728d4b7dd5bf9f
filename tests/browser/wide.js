// Elements that go out of the window and lie in no box that scrolls.
() => [...document.querySelectorAll("main *, .side *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".scroll, .flow-box, nav, .plot, .hidden"))
  .map((each) => `${each.tagName} ${each.className}`)
