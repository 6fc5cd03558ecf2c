// Twilio carries sound and picture; its own script (window.Twilio.Video) stands on the page only then.

export async function carryByTwilio(media, local, to) {
  if (!window.Twilio || !window.Twilio.Video) throw new Error("Twilio's script did not come.");
  const room = await window.Twilio.Video.connect(media.token, {
    name: media.room,
    tracks: local.getTracks(),
    preferredVideoCodecs: "auto",
    bandwidthProfile: { video: { clientTrackSwitchOffControl: "manual" } },
  });
  const mine = room.localParticipant;
  const videos = new Set();
  let soundOnly = false;
  const take = (participant) => {
    const add = (track) => {
      if (track.kind === "data") return;
      if (track.kind === "video") {
        videos.add(track);
        if (soundOnly) track.switchOff();
      }
      to.picture(participant.identity, track);
    };
    for (const publication of participant.tracks.values()) if (publication.track) add(publication.track);
    participant.on("trackSubscribed", add);
    participant.on("trackUnsubscribed", (track) => {
      videos.delete(track);
      if (track.kind !== "data") to.gone(participant.identity, track);
    });
  };
  room.participants.forEach(take);
  room.on("participantConnected", take);
  room.on("participantDisconnected", (participant) => to.left(participant.identity));
  room.on("reconnecting", to.again);
  room.on("reconnected", to.back);
  // With an error (a token that ended while the network was away) the page fetches another; without one it left by itself.
  room.on("disconnected", (_, error) => { if (error) to.ended(); });
  let shared = null;
  return {
    // Before the track itself is switched: Twilio tells the others only of a change that it makes.
    mute: (kind, on) => {
      for (const { track } of mine[kind === "audio" ? "audioTracks" : "videoTracks"].values())
        if (local.getTracks().includes(track.mediaStreamTrack)) track.enable(on);
    },
    // One picture of each person at a time: the camera goes while the screen is shown, as browser to browser.
    replace: (kind, track) => {
      const camera = local.getVideoTracks()[0];
      if (shared) mine.unpublishTrack(shared);
      else if (camera) mine.unpublishTrack(camera);
      shared = track && track !== camera ? track : null;
      if (track) mine.publishTrack(track).catch(to.notShown);
    },
    soundOnly: (only) => {
      soundOnly = only;
      for (const track of videos) if (only) track.switchOff(); else track.switchOn();
    },
    end: () => room.disconnect(),
  };
}
