// Twilio carries sound and picture; its own script (window.Twilio.Video) stands on the page only then.

export async function carryByTwilio(media, local, to) {
  const { Video } = window.Twilio;
  const room = await Video.connect(media.token, { name: media.room, tracks: local.getTracks(), preferredVideoCodecs: "auto" });
  const take = (participant) => {
    const add = (track) => { if (track.mediaStreamTrack) to.picture(participant.identity, track.mediaStreamTrack); };
    for (const publication of participant.tracks.values()) if (publication.track) add(publication.track);
    participant.on("trackSubscribed", add);
  };
  room.participants.forEach(take);
  room.on("participantConnected", take);
  room.on("participantDisconnected", (participant) => to.left(participant.identity));
  room.on("reconnecting", to.again);
  room.on("reconnected", to.back);
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
    end: () => room.disconnect(),
  };
}
