// Summaries as the live feed would tell them.
async (summaries) => {
  const { keep, update } = await import("/ui/store.js");
  summaries.forEach(keep);
  update({});
}
