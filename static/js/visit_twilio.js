// Twilio carries sound and picture; its own script (window.Twilio.Video) stands on the page only then.

export async function carryByTwilio(media, local, to) {
  const { Video } = window.Twilio;
  const room = await Video.connect(media.token, {
    name: media.room,
    tracks: local.getTracks(),
    preferredVideoCodecs: "auto",
    bandwidthProfile: { video: { clientTrackSwitchOffControl: "manual" } },
  });
  const videos = new Set();
  let soundOnly = false;
  const take = (participant) => {
    const add = (track) => {
      if (!track.mediaStreamTrack) return;
      if (track.kind === "video") {
        videos.add(track);
        if (soundOnly) track.switchOff();
      }
      to.picture(participant.identity, track.mediaStreamTrack);
    };
    for (const publication of participant.tracks.values()) if (publication.track) add(publication.track);
    participant.on("trackSubscribed", add);
    participant.on("trackUnsubscribed", (track) => {
      videos.delete(track);
      if (track.mediaStreamTrack) to.gone(participant.identity, track.mediaStreamTrack);
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
    mute: (kind, on) => {
      for (const publication of room.localParticipant[kind === "audio" ? "audioTracks" : "videoTracks"].values())
        if (on) publication.track.enable(); else publication.track.disable();
    },
    replace: (kind, track) => {
      if (shared) { room.localParticipant.unpublishTrack(shared); shared = null; }
      if (track && !local.getTracks().includes(track)) { shared = track; room.localParticipant.publishTrack(track); }
    },
    soundOnly: (only) => {
      soundOnly = only;
      for (const track of videos) if (only) track.switchOff(); else track.switchOn();
    },
    end: () => room.disconnect(),
  };
}
