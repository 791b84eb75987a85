// Sends the hash that a paper's code brought along behind `#`: browsers keep that part to themselves.
const form = document.getElementById("check-paper");
const code = document.getElementById("code");
const brought = location.hash.slice(1);

if (/^[0-9a-f]{64}$/.test(brought)) {
  code.value = brought;
  // Without it a page that is shown again would send it once more.
  history.replaceState(null, "", location.pathname);
  form.requestSubmit();
}
