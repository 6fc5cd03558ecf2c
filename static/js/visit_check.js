// The device check: everything stays in this browser but for one ping along the line to the visit, and one to its relay.

const say = (id, text) => { document.getElementById(id).textContent = text; };
const box = document.getElementById("check");

const RELAY_MS = 12_000; // A relay that is not reached is given up by the browser a little before that.

async function line() {
  say("check-line", "Line to the visit: being tried");
  try {
    const answer = await fetch("/livez", { cache: "no-store" });
    if (!answer.ok) throw new Error();
    const [opened, reached] = await Promise.all([socketOpens(), relayIsReached(box.dataset.relays.split(" ").filter(Boolean))]);
    if (!opened) say("check-line", "Line to the visit: this network blocks it. Try another one, or ask to be called.");
    else if (reached) say("check-line", "Line to the visit: works");
    else if (box.dataset.relayOnly) say("check-line", "Line to the visit: picture and sound do not come through this network. Try another one, or ask to be called.");
    else say("check-line", "Line to the visit: works, but picture and sound may not come through this network. If they do not, try another one, or ask to be called.");
  } catch {
    say("check-line", "Line to the visit: no connection");
  }
}

async function socketOpens() {
  const socket = new WebSocket(box.dataset.socket);
  const opened = await new Promise((done) => {
    socket.addEventListener("open", () => done(true));
    socket.addEventListener("error", () => done(false));
    setTimeout(() => done(false), 5_000);
  });
  socket.close();
  return opened;
}

// Does a relay answer from here? It is asked without a password of a visit, which nobody has who was not let in: that it refuses
// us is its answer. A browser that does not tell its errors cannot know, and says nothing against the line.
async function relayIsReached(urls) {
  if (!urls.length || !("onicecandidateerror" in RTCPeerConnection.prototype)) return true;
  const connection = new RTCPeerConnection({
    iceServers: [{ urls, username: "check", credential: "check" }],
    iceTransportPolicy: "relay",
  });
  const NOT_REACHED = 701;
  const reached = new Promise((done) => {
    connection.addEventListener("icecandidate", (event) => { if (event.candidate && event.candidate.candidate) done(true); });
    connection.addEventListener("icecandidateerror", (event) => { if (event.errorCode !== NOT_REACHED) done(true); });
    connection.addEventListener("icegatheringstatechange", () => {
      // What was refused is told about the time at which the gathering ends.
      if (connection.iceGatheringState === "complete") setTimeout(() => done(false), 500);
    });
    setTimeout(() => done(false), RELAY_MS);
  });
  connection.createDataChannel("check");
  await connection.setLocalDescription(await connection.createOffer());
  const answer = await reached;
  connection.close();
  return answer;
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
