// What a page that made markup or code of text would do, and what became of each: "made", or the error's name.
() => [
  (app) => { app.innerHTML = "<img src=x onerror=pwn()>"; },
  (app) => app.setAttribute("onclick", "pwn()"),
  () => setTimeout("pwn()"),
  (app) => app.append(document.createElement("x-pwn")),
].map((act) => {
  try {
    act(document.getElementById("app"));
    return "made";
  } catch (problem) {
    return problem.name;
  }
})
