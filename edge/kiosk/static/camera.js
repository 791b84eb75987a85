// Pictures: from the camera where the browser has one, else from a file. Without either the panel works on.

const WIDEST = 1600; // Enough to read small print of a delivery note, at some 300 kB.
const QUALITY = 0.85;

// The file is chosen: it goes off without another press.
document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-submit]") && event.target.files.length) event.target.form.requestSubmit();
});

async function open(form) {
  const video = form.querySelector("video");
  const shoot = form.querySelector("[data-shoot]");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: WIDEST } } });
    // The panel may have been swapped while the browser asked for leave.
    if (!form.isConnected) { stop(stream); return; }
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
  } catch {
    shoot.hidden = true;
  }
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function close(form) {
  const video = form.querySelector("video");
  stop(video.srcObject);
  video.srcObject = null;
  video.hidden = true;
}

document.addEventListener("toggle", (event) => {
  const form = event.target.querySelector?.("form[data-camera]");
  if (form) (event.target.open ? open : close)(form);
}, true);

document.addEventListener("click", (event) => {
  const form = event.target.closest("[data-shoot]")?.closest("form");
  const video = form?.querySelector("video");
  if (!video?.videoWidth) return;
  const scale = Math.min(1, WIDEST / video.videoWidth);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => {
    const chosen = new DataTransfer();
    chosen.items.add(new File([blob], "photo.jpeg", { type: "image/jpeg" }));
    form.querySelector("input[type=file]").files = chosen.files;
    close(form);
    form.requestSubmit();
  }, "image/jpeg", QUALITY);
});

// A swapped panel takes its video with it: the camera must not stay on.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  for (const form of event.detail.target.querySelectorAll?.("form[data-camera]") ?? []) close(form);
});
