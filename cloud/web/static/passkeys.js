// Buttons that make or use a passkey: asks the server what to ask the device, and brings its answer back.
// <button data-passkey="make|use" data-begin=".." data-finish=".." data-next=".." data-name="id of a field" data-problem="id of a note">

const { browserSupportsWebAuthn, startAuthentication, startRegistration } = window.SimpleWebAuthnBrowser;

async function post(url, body) {
  const token = document.querySelector('input[name="csrf"]');
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token ? token.value : "" },
    credentials: "same-origin",
    body: JSON.stringify(body),
  });
  if (answer.redirected) {
    window.location.assign(answer.url); // asked to show first who they are
    return null;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function ceremony(button) {
  const options = await post(button.dataset.begin, {});
  if (!options) return;
  const start = button.dataset.passkey === "make" ? startRegistration : startAuthentication;
  const credential = await start({ optionsJSON: options });
  const named = document.getElementById(button.dataset.name || "");
  const done = await post(button.dataset.finish, { credential, name: named ? named.value : "", next: button.dataset.next || "/" });
  if (done) window.location.assign(done.next);
}

for (const button of document.querySelectorAll("[data-passkey]")) {
  const part = button.closest("[data-passkey-part]") || button;
  if (!browserSupportsWebAuthn()) continue;
  part.hidden = false;
  button.addEventListener("click", async () => {
    const note = document.getElementById(button.dataset.problem);
    note.hidden = true;
    button.disabled = true;
    try {
      await ceremony(button);
    } catch {
      note.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
