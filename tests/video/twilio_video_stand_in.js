// Stands where sdk.twilio.com's script does: what twilio-video 2.x documents of Video.connect, Room, participants and tracks, as far as
// a visit uses it. It is as strict as the real one where a wrong call would go unnoticed: an unknown option, a track that is none,
// switchOff without manual control. `standIn` is the other side: it lets people come, go, show and lose the line.
(() => {
  class Emitter {
    #heard = new Map();
    on(event, listener) { this.#heard.set(event, [...(this.#heard.get(event) || []), listener]); return this; }
    emit(event, ...args) { for (const listener of this.#heard.get(event) || []) listener(...args); }
  }
  const calls = [];
  const note = (...call) => calls.push(call.join(" "));
  let number = 0;
  const sid = (prefix) => `${prefix}${String((number += 1)).padStart(32, "0")}`;

  class LocalTrack extends Emitter {
    constructor(mediaStreamTrack) { super(); Object.assign(this, { kind: mediaStreamTrack.kind, id: mediaStreamTrack.id, mediaStreamTrack }); }
    get isEnabled() { return this.mediaStreamTrack.enabled; }
    // The others hear of it only when this call changes something.
    enable(enabled = true) {
      if (enabled === this.mediaStreamTrack.enabled) return this;
      this.mediaStreamTrack.enabled = enabled;
      note(enabled ? "enabled" : "disabled", this.kind);
      return this;
    }
    disable() { return this.enable(false); }
  }

  class LocalParticipant extends Emitter {
    constructor(identity, tracks) {
      super();
      Object.assign(this, { identity, sid: sid("PA"), state: "connected", tracks: new Map(), audioTracks: new Map(), videoTracks: new Map() });
      for (const track of tracks) this._add(track);
    }
    _add(given) {
      if (!(given instanceof MediaStreamTrack)) throw new TypeError("track must be a LocalTrack or a MediaStreamTrack");
      const publication = { trackSid: sid("MT"), kind: given.kind, track: new LocalTrack(given) };
      this.tracks.set(publication.trackSid, publication);
      this[`${given.kind}Tracks`].set(publication.trackSid, publication);
      return publication;
    }
    _of(given) { return [...this.tracks.values()].find((one) => one.track.mediaStreamTrack === given); }
    async publishTrack(given) {
      if (standIn.refusesToPublish) throw Object.assign(new Error("Publishing was refused"), { code: 53304 });
      const known = this._of(given);
      if (known) return known;
      const made = this._add(given);
      note("published", given.kind);
      return made;
    }
    unpublishTrack(given) {
      if (!(given instanceof MediaStreamTrack)) throw new TypeError("track must be a LocalTrack or a MediaStreamTrack");
      const known = this._of(given);
      if (!known) return null;
      this.tracks.delete(known.trackSid);
      this[`${known.kind}Tracks`].delete(known.trackSid);
      note("unpublished", known.kind);
      return known;
    }
  }

  class RemoteTrack extends Emitter {
    #attachments = new Set();
    constructor(mediaStreamTrack, manual) {
      super();
      Object.assign(this, { kind: mediaStreamTrack.kind, sid: sid("MT"), mediaStreamTrack, isEnabled: true, isSwitchedOff: false });
      // The real one stays silent and dark until it is attached somewhere.
      mediaStreamTrack.enabled = false;
      if (this.kind === "video") {
        const turn = (off) => {
          if (!manual) throw new Error("Invalid state. You can call switchOff and switchOn only when clientTrackSwitchOffControl is set to manual");
          this.isSwitchedOff = off;
          note(off ? "switched off" : "switched on", "video");
          return this;
        };
        this.switchOff = () => turn(true);
        this.switchOn = () => turn(false);
      }
    }
    attach(element) {
      const stream = element.srcObject instanceof MediaStream ? element.srcObject : new MediaStream();
      for (const old of stream.getTracks()) if (old.kind === this.kind) stream.removeTrack(old);
      stream.addTrack(this.mediaStreamTrack);
      element.srcObject = stream;
      this.mediaStreamTrack.enabled = true;
      this.#attachments.add(element);
      return element;
    }
    detach(element) {
      if (this.#attachments.delete(element)) element.srcObject.removeTrack(this.mediaStreamTrack);
      if (!this.#attachments.size) this.mediaStreamTrack.enabled = false;
      return element;
    }
  }

  class RemoteParticipant extends Emitter {
    constructor(identity) { super(); Object.assign(this, { identity, sid: sid("PA"), state: "connected", tracks: new Map() }); }
    _subscribe(track) {
      this.tracks.set(track.sid, { trackSid: track.sid, kind: track.kind, isSubscribed: true, track });
      this.emit("trackSubscribed", track, this.tracks.get(track.sid));
    }
    _unsubscribe(track) {
      this.tracks.delete(track.sid);
      this.emit("trackUnsubscribed", track);
    }
  }

  class Room extends Emitter {
    constructor(name, localParticipant) { super(); Object.assign(this, { name, sid: name, state: "connected", participants: new Map(), localParticipant }); }
    disconnect() { this.state = "disconnected"; note("left"); this.emit("disconnected", this); return this; }
  }

  const OPTIONS = ["name", "tracks", "preferredVideoCodecs", "bandwidthProfile"];
  const OF_VIDEO = ["mode", "clientTrackSwitchOffControl", "contentPreferencesMode", "dominantSpeakerPriority", "trackSwitchOffMode"];
  async function connect(token, options = {}) {
    standIn.tokens.push(token);
    const unknown = [...Object.keys(options).filter((one) => !OPTIONS.includes(one)), ...Object.keys(options.bandwidthProfile?.video || {}).filter((one) => !OF_VIDEO.includes(one))];
    if (unknown.length) throw new TypeError(`unknown: ${unknown}`);
    if (standIn.refusals > 0) {
      standIn.refusals -= 1;
      throw Object.assign(new Error("Unable to connect to the room"), { name: "TwilioError", code: 53106 });
    }
    const { grants } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    if (grants.video.room !== options.name) throw Object.assign(new Error("The token is for another room"), { code: 53000 });
    standIn.manual = options.bandwidthProfile?.video?.clientTrackSwitchOffControl === "manual";
    standIn.room = new Room(options.name, new LocalParticipant(grants.identity, options.tracks));
    for (const one of standIn.there) standIn.room.participants.set(one.sid, one);
    note("connected");
    return standIn.room;
  }

  const pictures = (colour) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const paint = canvas.getContext("2d");
    setInterval(() => { paint.fillStyle = colour; paint.fillRect(0, 0, 320, 240); }, 40);
    return canvas.captureStream(25).getVideoTracks()[0];
  };
  const sound = () => {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const to = context.createMediaStreamDestination();
    tone.connect(to);
    tone.start();
    return to.stream.getAudioTracks()[0];
  };
  const standIn = {
    calls, tokens: [], there: [], refusals: 0, refusesToPublish: false, room: null, manual: false,
    comes(identity) {
      const one = new RemoteParticipant(identity);
      standIn.there.push(one);
      standIn.room.participants.set(one.sid, one);
      standIn.room.emit("participantConnected", one);
      one._subscribe(new RemoteTrack(sound(), standIn.manual));
      one._subscribe(new RemoteTrack(pictures("teal"), standIn.manual));
    },
    shows(identity) {
      const one = standIn.there.find((each) => each.identity === identity);
      for (const { track } of [...one.tracks.values()]) if (track.kind === "video") one._unsubscribe(track);
      one._subscribe(new RemoteTrack(pictures("orange"), standIn.manual));
    },
    goes(identity) {
      const one = standIn.there.find((each) => each.identity === identity);
      standIn.there = standIn.there.filter((each) => each !== one);
      for (const { track } of [...one.tracks.values()]) one._unsubscribe(track);
      standIn.room.participants.delete(one.sid);
      standIn.room.emit("participantDisconnected", one);
    },
    breaks() { standIn.room.state = "reconnecting"; standIn.room.emit("reconnecting", Object.assign(new Error("Signaling connection disconnected"), { code: 53001 })); },
    mends() { standIn.room.state = "connected"; standIn.room.emit("reconnected"); },
    ends(code) { standIn.room.state = "disconnected"; standIn.room.emit("disconnected", standIn.room, Object.assign(new Error("Access token expired or expiration date invalid"), { code })); },
    published: () => [...standIn.room.localParticipant.tracks.values()].map(({ kind, track }) => `${kind} ${track.mediaStreamTrack.getSettings().displaySurface ? "screen" : "own"} ${track.isEnabled ? "on" : "off"}`).sort(),
  };
  window.standIn = standIn;
  window.Twilio = { Video: { connect, isSupported: true, version: "2.31.1" } };
})();
