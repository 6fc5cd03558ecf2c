// The device check: everything stays in this browser but for one ping along the line to the visit.

const say = (id, text) => { document.getElementById(id).textContent = text; };
const box = document.getElementById("check");

async function line() {
  try {
    const answer = await fetch("/livez", { cache: "no-store" });
    if (!answer.ok) throw new Error();
    const socket = new WebSocket(box.dataset.socket);
    const opened = await new Promise((done) => {
      socket.addEventListener("open", () => done(true));
      socket.addEventListener("error", () => done(false));
      setTimeout(() => done(false), 5_000);
    });
    socket.close();
    say("check-line", opened ? "Line to the visit: works" : "Line to the visit: this network blocks it. Try another one, or ask to be called.");
  } catch {
    say("check-line", "Line to the visit: no connection");
  }
}

document.getElementById("check-start").addEventListener("click", async () => {
  line();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    document.getElementById("check-picture").srcObject = stream;
    say("check-camera", "Camera: works");
    meter(stream);
  } catch (error) {
    const denied = error.name === "NotAllowedError";
    say("check-camera", denied ? "Camera: not allowed. Look for the camera sign beside the address and allow it." : "Camera: none found");
    try {
      meter(await navigator.mediaDevices.getUserMedia({ audio: true }));
    } catch {
      say("check-microphone", denied ? "Microphone: not allowed" : "Microphone: none found");
    }
  }
});

function meter(stream) {
  say("check-microphone", "Microphone: works, speak to see the bar move");
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const bar = document.getElementById("check-level");
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    bar.value = Math.min(1, Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length) * 4);
  }, 100);
}

document.getElementById("check-tone").addEventListener("click", () => {
  const context = new AudioContext();
  const tone = context.createOscillator();
  const volume = context.createGain();
  volume.gain.value = 0.15;
  tone.frequency.value = 440;
  tone.connect(volume).connect(context.destination);
  tone.start();
  tone.stop(context.currentTime + 0.8);
  say("check-sound", "Loudspeaker: you should have heard a tone. If not, turn the sound up and try again.");
});
