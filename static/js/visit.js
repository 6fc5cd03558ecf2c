// A visit: two to five people see and hear each other. The server introduces the browsers to each other over a WebSocket
// and says who is who; sound and picture go from browser to browser (or through a relay that cannot listen), or through
// Twilio where the practice uses it. When the line breaks, this page waits, comes again with a fresh pass and takes up the
// same connections: nobody has to press anything.

import { carryByTwilio } from "./visit_twilio.js";

const root = document.getElementById("visit");
const status = document.getElementById("visit-status");
const PATIENCE_MS = 60_000;
const FRESH_MS = 5 * 60_000; // A fresh pass so often: passwords of relays and tokens end, and a log-in idles, while people talk.
const STUCK_TRIES = 4; // From here on the telephone is offered in large letters.
const page = crypto.randomUUID().slice(0, 8); // This page load: another one of the same person begins anew.
const peers = new Map(); // seat -> Peer
const names = new Map();
const show = { sound: true, picture: true, screen: false };
let me = "";
let socket = null;
let tries = 0;
let over = false;
let heardOnce = false;
let media = null; // how sound and picture travel, from the server
let local = new MediaStream();
let twilio = null;
let connecting = false;
let mediaTries = 0; // that Twilio did not take
let shared = null; // the track of a shared screen
let soundOnly = false;
// For tests and for people who ask for help: what the page believes.
window.visit = { peers, show, get line() { return socket ? socket.readyState : -1; }, cut: () => socket && socket.close() };

const say = (text) => {
  if (status && status.textContent !== text) status.textContent = text;
};

// --- the WebSocket ---

// Another pass: null when there is none for this page any more, and then it has said so.
async function another() {
  const answer = await fetch(root.dataset.pass, { headers: { Accept: "application/json" }, cache: "no-store" });
  if ((answer.redirected || answer.status === 401) && socket && socket.readyState === WebSocket.OPEN) {
    // The log-in ended, the visit did not: the line was shown it when it began, and its server ends it for a closed account.
    say("Your log-in has ended. The visit goes on; log in again in another tab before you do anything else.");
    return null;
  }
  if (answer.redirected || [401, 403, 404, 409].includes(answer.status)) {
    ended("This page is no longer valid. Reload it to see how the visit stands.");
    return null;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const given = await answer.json();
  me = given.me;
  media = given.media;
  if (media && media.kind === "peer") for (const peer of peers.values()) peer.useServers(media);
  return given;
}

async function connect() {
  if (over) return;
  try {
    const given = await another();
    if (!given) return;
    if (given.admitted && root.dataset.waiting) return location.reload();
    socket = new WebSocket(given.socket);
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "hello", pass: given.pass, page })));
    socket.addEventListener("message", (event) => heard(JSON.parse(event.data)));
    socket.addEventListener("close", lost);
  } catch {
    lost();
  }
}

function lost() {
  socket = null;
  if (over) return;
  // In the waiting room a line that never was is no news: the page asks in the ordinary way meanwhile.
  if (!root.dataset.waiting) say("The line broke. Trying again.");
  else if (heardOnce) say("The line broke. This page tries again by itself; your place is kept.");
  tries += 1;
  if (tries >= STUCK_TRIES) stuck(true);
  setTimeout(connect, Math.min(500 * 2 ** Math.min(tries, 4), 5_000) * (0.7 + Math.random() * 0.6));
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}
setInterval(() => send({ type: "ping" }), 10_000);
setInterval(() => { if (!over && socket && socket.readyState === WebSocket.OPEN) another().catch(() => undefined); }, FRESH_MS);

function stuck(yes) {
  const notice = document.getElementById("visit-stuck");
  if (notice) notice.hidden = !yes;
}

function ended(words) {
  over = true;
  say(words);
  for (const peer of peers.values()) peer.end();
  if (twilio) twilio.end();
  for (const track of local.getTracks()) track.stop();
  if (socket) socket.close();
  stuck(false);
  const after = document.getElementById("visit-after");
  if (after) after.hidden = false;
  for (const id of ["visit-bar", "visit-people", "visit-who"]) if (document.getElementById(id)) document.getElementById(id).hidden = true;
}

async function heard(news) {
  heardOnce = true;
  if (news.type !== "refused") {
    tries = 0;
    if (!mediaTries) stuck(false);
  }
  if (news.type === "waiting") return say(status.textContent.startsWith("The line broke") ? "You are back in the waiting room. Your place was kept." : status.textContent);
  if (news.type === "admitted" && root.dataset.waiting) return location.reload();
  if (news.type === "late") return late(news.minutes);
  if (news.type === "refused") return refused(news);
  if (news.type === "over") return ended(news.detail);
  if (news.type === "welcome") {
    if (!mediaTries) say("You are in the visit.");
    await ready;
    people(news.people);
    if (media && media.kind === "twilio") {
      send({ type: "state", ...show });
      return startTwilio();
    }
    // Whoever was there already and is known to this page has the same connection still: mend it. Others get a new one.
    for (const one of news.people) if (one.here) meet(one.seat, one.page).mend(true);
    for (const [seat, peer] of peers) if (!news.people.some((one) => one.seat === seat && one.here)) peer.missing();
    send({ type: "state", ...show });
    return undefined;
  }
  if (news.type === "people") {
    people(news.people);
    if (news.came && (!media || media.kind === "peer")) meet(news.came, news.page).mend(true);
    return undefined;
  }
  if (news.type === "signal") return meet(news.from, news.page).hear(news.data);
  if (news.type === "left") {
    here.delete(news.seat);
    who();
    const peer = peers.get(news.seat);
    if (peer && news.gone) drop(news.seat);
    else if (peer) peer.missing();
    return undefined;
  }
  if (news.type === "state") return card(news.seat).shows(news);
  if (news.type === "chat") return line(news);
  return undefined;
}

function refused(news) {
  if (news.code === "pass_over") return undefined; // The close that follows fetches another.
  if (news.code === "line_down") return say(news.detail); // And tries again.
  return ended(news.detail);
}

function late(minutes, quietly = false) {
  const place = document.getElementById("visit-late");
  const words = minutes ? `Running about ${minutes} minutes late. Your visit keeps its full length.` : quietly ? "" : "On time again.";
  if (place && place.textContent !== words && !(quietly && !minutes)) place.textContent = words;
}

// --- people and their pictures ---

const cards = new Map();
const here = new Set();

// Everybody can read at any time who is there, and hears it when it changes.
function who() {
  const place = document.getElementById("visit-who");
  const words = here.size ? `With you now: ${[...here].map((seat) => names.get(seat) || "somebody").join(", ")}.` : "You are alone here.";
  if (place && place.textContent !== words) place.textContent = words;
}
const board = document.getElementById("visit-people");

function card(seat) {
  if (cards.has(seat)) return cards.get(seat);
  const figure = document.createElement("figure");
  figure.className = "visit__person";
  figure.dataset.seat = seat;
  const video = document.createElement("video");
  video.autoplay = true;
  video.playsInline = true;
  const words = document.createElement("figcaption");
  figure.append(video, words);
  if (board) board.prepend(figure);
  let state = { sound: true, picture: true, screen: false };
  let news = "";
  const write = () => {
    const name = names.get(seat) || "Somebody";
    video.setAttribute("aria-label", `The picture of ${name}`);
    const off = [state.sound ? "" : "microphone off", state.picture || state.screen ? "" : "camera off", state.screen ? "shows a screen" : ""];
    words.textContent = [name, ...off, news].filter(Boolean).join(", ");
    figure.classList.toggle("visit__person--dark", !state.picture && !state.screen);
  };
  const made = {
    figure,
    video,
    shows: (next) => { state = next; write(); },
    news: (text) => { news = text; write(); },
    remove: () => { figure.remove(); cards.delete(seat); },
    write,
  };
  cards.set(seat, made);
  write();
  return made;
}

// A browser may refuse to play before somebody has pressed something on the page.
function heardFrom(view) {
  view.video.play().then(
    () => { if (view.quiet) view.news(""); view.quiet = false; },
    (error) => { if (error.name === "NotAllowedError") { view.quiet = true; view.news("press anywhere to hear them"); } },
  );
}
document.addEventListener("pointerdown", () => {
  for (const view of cards.values()) if (view.quiet) heardFrom(view);
});

function people(list) {
  for (const one of list) {
    names.set(one.seat, one.name);
    if (cards.has(one.seat)) cards.get(one.seat).write();
    if (one.here) here.add(one.seat); else here.delete(one.seat);
  }
  who();
  const waiting = list.filter((one) => one.waits || one.phone);
  const place = document.getElementById("visit-waiting");
  if (!place || root.dataset.clinician !== "yes") return;
  // The forms that let somebody in come with the page, so that they work without this file; news fetches them anew.
  const key = waiting.map((one) => `${one.seat}${one.waits}${one.phone}`).join();
  if (place.dataset.key === undefined || place.dataset.key !== key) {
    const first = place.dataset.key === undefined;
    place.dataset.key = key;
    if (!first || waiting.length) refreshWaiting(place);
  }
}

async function refreshWaiting(place) {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("visit-waiting");
  if (fresh) place.replaceChildren(...fresh.childNodes);
}
// Letting somebody in, or asking to be called, does not reload the page, which would break the visit for a second.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.closest("#visit-waiting, #visit-bar")) return;
  event.preventDefault();
  try {
    await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
  } catch {
    return say("That did not arrive. Press it again, or call.");
  }
  if (form.closest("#visit-bar")) {
    form.remove();
    return say(root.dataset.phoned);
  }
  const place = document.getElementById("visit-waiting");
  if (place) refreshWaiting(place);
  return undefined;
});

// --- one connection to one other browser: the pattern of "perfect negotiation" (WebRTC 1.0, section 10.7) ---

function meet(seat, theirPage) {
  const known = peers.get(seat);
  if (known && (!theirPage || known.page === theirPage)) return known;
  if (known) known.end();
  const made = peer(seat, theirPage);
  peers.set(seat, made);
  return made;
}

function drop(seat) {
  const known = peers.get(seat);
  if (known) known.end();
  peers.delete(seat);
  if (cards.has(seat)) cards.get(seat).remove();
}

function peer(seat, theirPage) {
  const settings = (from) => ({ iceServers: from.iceServers, iceTransportPolicy: from.relayOnly ? "relay" : "all" });
  const connection = new RTCPeerConnection(settings(media || { iceServers: [], relayOnly: false }));
  const polite = me < seat;
  const view = card(seat);
  let offering = false;
  let ignoring = false;
  let gone = null;
  const senders = { audio: null, video: null };
  // One of the two makes the places for sound and picture, the other fills them when the offer comes: two offers at once
  // would make four. There is a place for each kind from the start, so that a camera which comes later needs no new offer.
  const fill = (kind, transceiver) => {
    const track = show.screen && kind === "video" && shared ? shared : local.getTracks().find((one) => one.kind === kind);
    senders[kind] = transceiver.sender;
    transceiver.sender.setStreams(local);
    if (track) transceiver.sender.replaceTrack(track);
    transceiver.direction = kind === "video" && soundOnly ? "inactive" : "sendrecv";
  };
  connection.addEventListener("negotiationneeded", async () => {
    try {
      offering = true;
      await connection.setLocalDescription();
      send({ type: "signal", to: seat, data: { description: connection.localDescription } });
    } catch { /* The next mending begins again. */ } finally {
      offering = false;
    }
  });
  connection.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate) send({ type: "signal", to: seat, data: { candidate } });
  });
  connection.addEventListener("track", ({ track, streams }) => {
    const stream = view.video.srcObject instanceof MediaStream ? view.video.srcObject : streams[0] || new MediaStream();
    if (!stream.getTracks().includes(track)) {
      for (const old of stream.getTracks()) if (old.kind === track.kind) stream.removeTrack(old);
      stream.addTrack(track);
    }
    view.video.srcObject = stream;
    heardFrom(view);
  });
  connection.addEventListener("connectionstatechange", () => {
    if (connection.connectionState === "connected") {
      clearTimeout(gone);
      gone = null;
      view.news("");
    } else if (["disconnected", "failed"].includes(connection.connectionState)) {
      made.missing();
      if (connection.connectionState === "failed") made.mend();
    }
  });
  const made = {
    page: theirPage,
    connection,
    senders,
    useServers: (from) => connection.setConfiguration(settings(from)),
    // Look for another way between the two browsers; what is connected already stays as it is.
    mend: async (lineIsNew = false) => {
      // An offer made while one of the two had no line reached nobody, and its answer never comes: take it back, make another.
      if (lineIsNew && connection.signalingState === "have-local-offer") {
        try {
          await connection.setLocalDescription({ type: "rollback" });
        } catch { /* It was answered this very moment. */ }
      }
      if (["connected", "new"].includes(connection.connectionState) && connection.iceConnectionState !== "disconnected") return;
      connection.restartIce();
    },
    missing: () => {
      view.news("line is broken, coming back");
      if (!gone) gone = setTimeout(() => { if (connection.connectionState !== "connected") drop(seat); }, PATIENCE_MS);
    },
    hear: async (data) => {
      try {
        if (data.description) {
          const collision = data.description.type === "offer" && (offering || connection.signalingState !== "stable");
          ignoring = !polite && collision;
          if (ignoring) return;
          await connection.setRemoteDescription(data.description);
          if (data.description.type === "offer") {
            for (const transceiver of connection.getTransceivers()) {
              const { kind } = transceiver.receiver.track;
              if (!senders[kind]) fill(kind, transceiver);
            }
            await connection.setLocalDescription();
            send({ type: "signal", to: seat, data: { description: connection.localDescription } });
          }
        } else if (data.candidate) {
          try {
            await connection.addIceCandidate(data.candidate);
          } catch (error) {
            if (!ignoring) throw error;
          }
        }
      } catch {
        view.news("connecting");
      }
    },
    end: () => {
      clearTimeout(gone);
      connection.close();
    },
  };
  if (!polite) for (const kind of ["audio", "video"]) fill(kind, connection.addTransceiver(kind, { direction: "sendrecv", streams: [local] }));
  return made;
}
// A connection that stays broken while the line to the server is there looks for another way by itself.
setInterval(() => {
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  for (const one of peers.values()) if (["disconnected", "failed"].includes(one.connection.connectionState)) one.connection.restartIce();
}, 5_000);

// --- own sound and picture ---

async function devices() {
  const wants = [{ audio: true, video: { width: { ideal: 1280 }, height: { ideal: 720 } } }, { audio: true, video: false }];
  for (const want of wants) {
    try {
      return await navigator.mediaDevices.getUserMedia(want);
    } catch { /* The next, smaller wish. */ }
  }
  return new MediaStream();
}

function replace(kind, track) {
  for (const one of peers.values()) one.senders[kind]?.replaceTrack(track);
  if (twilio) twilio.replace(kind, track);
}

function pressed(id, on, words) {
  const button = document.getElementById(id);
  if (!button) return;
  button.setAttribute("aria-pressed", String(on));
  button.textContent = words;
}

function tell() {
  pressed("visit-mic", show.sound, show.sound ? "Microphone on" : "Microphone off");
  pressed("visit-cam", show.picture, show.picture ? "Camera on" : "Camera off");
  pressed("visit-screen", show.screen, show.screen ? "Stop sharing" : "Share screen");
  send({ type: "state", ...show });
}

function mute(kind, on) {
  if (twilio) twilio.mute(kind, on);
  for (const track of local.getTracks()) if (track.kind === kind) track.enabled = on;
}

function listen() {
  const on = (id, act) => document.getElementById(id)?.addEventListener("click", act);
  on("visit-mic", () => { show.sound = !show.sound; mute("audio", show.sound); tell(); });
  on("visit-cam", () => {
    if (soundOnly) return only(false); // A picture is wanted again.
    if (!local.getVideoTracks().length) return say("No camera was found or allowed.");
    show.picture = !show.picture;
    mute("video", show.picture);
    return tell();
  });
  on("visit-screen", async () => {
    if (show.screen) return stopScreen();
    if (soundOnly) only(false); // Nothing would be sent, while the others read that a screen is shown.
    try {
      const screen = await navigator.mediaDevices.getDisplayMedia({ video: true });
      const [track] = screen.getVideoTracks();
      track.addEventListener("ended", stopScreen);
      replace("video", track);
      shared = track;
      show.screen = true;
      tell();
    } catch {
      say("The screen was not shared.");
    }
    return undefined;
  });
  // One tap for a weak line: no picture in either direction, the sound stays.
  on("visit-audio", () => only(!soundOnly));
  on("visit-leave", () => { send({ type: "bye" }); ended("You have left. Reload this page to come back."); });
  const form = document.getElementById("visit-chat");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = document.getElementById("visit-text");
    if (!field.value.trim()) return;
    send({ type: "chat", text: field.value });
    field.value = "";
  });
}

// Sound alone, or with pictures again: what is not sent is not said to be shown.
function only(sound) {
  if (sound && show.screen) stopScreen();
  pressed("visit-audio", sound, sound ? "Picture again" : "Sound only");
  soundOnly = sound;
  show.picture = !sound && local.getVideoTracks().length > 0;
  mute("video", show.picture);
  for (const one of peers.values())
    for (const transceiver of one.connection.getTransceivers())
      if (transceiver.receiver.track.kind === "video") transceiver.direction = sound ? "inactive" : "sendrecv";
  if (twilio) twilio.soundOnly(sound);
  board.classList.toggle("visit__people--sound", sound);
  tell();
}

function stopScreen() {
  replace("video", local.getVideoTracks()[0] || null);
  shared?.stop();
  shared = null;
  show.screen = false;
  tell();
}

function line(news) {
  const lines = document.getElementById("visit-lines");
  const item = document.createElement("li");
  const who = document.createElement("b");
  who.textContent = news.mine ? "You" : names.get(news.seat) || "Somebody";
  item.append(who, ` ${news.text}`);
  lines.append(item);
  lines.scrollTop = lines.scrollHeight;
}

async function startTwilio() {
  if (twilio || connecting || !media || over) return;
  connecting = true;
  try {
    const carried = await carryByTwilio(media, local, {
      picture: (seat, track) => {
        const view = card(seat);
        track.attach(view.video);
        heardFrom(view);
      },
      gone: (seat, track) => { if (cards.has(seat)) track.detach(card(seat).video); },
      left: drop,
      again: () => say("The line broke. Trying again."),
      back: () => say("You are in the visit."),
      notShown: () => {
        if (show.screen) stopScreen();
        say("The picture could not be shown to the others. Try it again.");
      },
      // Its token ended while the network was away, or the room did: a fresh pass says which.
      ended: () => {
        twilio = null;
        startTwilioAgain("The line broke. Trying again.", 0);
      },
    });
    if (over) return carried.end();
    twilio = carried;
  } catch {
    mediaTries += 1;
    startTwilioAgain("Sound and picture do not come through yet. Trying again.", Math.min(1_000 * 2 ** mediaTries, 15_000));
    if (mediaTries >= 2) stuck(true);
    return;
  } finally {
    connecting = false;
  }
  const before = mediaTries;
  mediaTries = 0;
  if (before) stuck(false);
  say("You are in the visit.");
  if (soundOnly) twilio.soundOnly(true);
  if (shared) twilio.replace("video", shared);
}

// With a fresh pass: the last one may be what was wrong.
function startTwilioAgain(words, after_ms) {
  if (over) return;
  say(words);
  setTimeout(async () => {
    try {
      if (await another()) await startTwilio();
    } catch {
      startTwilioAgain(words, 3_000);
    }
  }, after_ms);
}

async function begin() {
  if (root.dataset.waiting) return;
  local = await devices();
  show.picture = local.getVideoTracks().length > 0;
  show.sound = local.getAudioTracks().length > 0;
  if (!show.sound) say("No microphone was found or allowed. You can see, hear and write; or ask to be called.");
  document.getElementById("visit-self").srcObject = local;
  listen();
  tell();
}

const ready = root ? begin() : Promise.resolve();
if (root) {
  ready.then(connect);
  // The line moves while one waits; and where no WebSocket can be had (some networks), this is how the page goes on.
  if (root.dataset.waiting) setInterval(async () => {
    if (over) return;
    try {
      const answer = await fetch(root.dataset.line, { cache: "no-store" });
      if (!answer.ok) return;
      const now = await answer.json();
      if (now.admitted || now.over) return location.reload();
      for (const [id, words] of [["visit-before", now.before], ["visit-expected", now.expected]]) {
        const place = document.getElementById(id);
        if (place.textContent !== words) place.textContent = words;
      }
      late(now.late_minutes, true);
    } catch { /* Still offline. */ }
  }, 10_000);
}
