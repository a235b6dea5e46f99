// The microphone over the speech protocol, as the Speech SDK speaks it: sound goes out while interim text comes in.

const TICKS = 10_000; // in a millisecond
const MOST_BYTES = 200 * 2 ** 20; // of sound that is kept to be played again

const PATH = "/speech/recognition/conversation/cognitiveservices/v1";

function wavHeader(rate, bytes) {
  const view = new DataView(new ArrayBuffer(44));
  const write = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF"); view.setUint32(4, 36 + bytes, true); write(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, rate * 2, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  write(36, "data"); view.setUint32(40, bytes, true);
  return view.buffer;
}

function binary(turn, audio) {
  const head = new TextEncoder().encode(`Path:audio\r\nX-RequestId:${turn}\r\n`);
  const message = new Uint8Array(2 + head.length + audio.byteLength);
  new DataView(message.buffer).setUint16(0, head.length);
  message.set(head, 2);
  message.set(new Uint8Array(audio), 2 + head.length);
  return message;
}

// A phrase of the protocol as `:transcribe` has it, so that both are shown and saved alike.
function phraseOf({ Offset, Duration, DisplayText, NBest }) {
  const best = NBest?.[0];
  const span = (one) => ({ offsetMilliseconds: Math.floor(one.Offset / TICKS), durationMilliseconds: Math.floor(one.Duration / TICKS) });
  return {
    ...span({ Offset, Duration }),
    text: best?.Display ?? DisplayText,
    confidence: best?.Confidence ?? 1,
    words: (best?.DisplayWords ?? []).map((word) => ({ text: word.DisplayText, ...span(word) })),
  };
}

const opened = (socket) => new Promise((done, failed) => {
  socket.addEventListener("open", done, { once: true });
  socket.addEventListener("close", ({ reason }) => failed(new Error(reason || "The service refuses the microphone: is a key missing, or the plan used up?")), { once: true });
});

// Begins to listen. Returns `stop`, and `ended`: a promise of the transcript and the sound.
export async function startLive({ base, key, language, phrases, model, heard, phrase }) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => { throw new Error("The browser gives no access to a microphone."); });
  const silence = () => stream.getTracks().forEach((track) => track.stop());
  const query = new URLSearchParams({ language, format: "detailed", ...(model ? { cid: model } : {}), ...(key ? { "Ocp-Apim-Subscription-Key": key } : {}) });
  const socket = new WebSocket(`${base.replace(/^http/, "ws")}${PATH}?${query}`);
  const context = new AudioContext();
  const turn = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const transcript = { durationMilliseconds: 0, combinedPhrases: [], phrases: [] };
  const kept = [];
  let bytes = 0;
  try {
    await opened(socket);
    await context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url).href);
  } catch (error) {
    silence();
    context.close();
    socket.close();
    throw error;
  }
  const groups = [{ Type: "Generic", Items: phrases.map((Text) => ({ Text })) }];
  socket.send(`Path:speech.context\r\nX-RequestId:${turn}\r\n\r\n${JSON.stringify(phrases.length ? { dgi: { Groups: groups } } : {})}`);
  socket.send(binary(turn, wavHeader(context.sampleRate, 0)));
  const source = context.createMediaStreamSource(stream);
  const samples = new AudioWorkletNode(context, "samples");
  source.connect(samples);
  samples.port.onmessage = ({ data }) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(binary(turn, data));
    bytes += data.byteLength;
    if (bytes <= MOST_BYTES) kept.push(data);
  };

  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    samples.port.onmessage = null;
    silence();
    context.close();
    if (socket.readyState === WebSocket.OPEN) socket.send(binary(turn, new ArrayBuffer(0)));
  };
  const ended = new Promise((done, failed) => {
    const finish = () => {
      stop();
      const length = kept.reduce((sum, piece) => sum + piece.byteLength, 0);
      transcript.durationMilliseconds = Math.round(bytes / 2 / context.sampleRate * 1000);
      transcript.combinedPhrases = [{ text: transcript.phrases.map(({ text }) => text).join(" ") }];
      done({ transcript, recording: new Blob([wavHeader(context.sampleRate, length), ...kept], { type: "audio/wav" }) });
      socket.close();
    };
    socket.addEventListener("message", ({ data }) => {
      const [head, body] = String(data).split("\r\n\r\n");
      const path = /^Path:(.*)$/m.exec(head)?.[1].trim();
      const value = JSON.parse(body || "{}");
      if (path === "speech.hypothesis") heard(value.Text);
      if (path === "speech.phrase" && value.RecognitionStatus === "Success") {
        transcript.phrases.push(phraseOf(value));
        transcript.durationMilliseconds = Math.round(bytes / 2 / context.sampleRate * 1000);
        phrase(transcript);
      } else if (path === "speech.phrase" && value.Message) {
        stop();
        failed(new Error(value.Message));
      }
      if (path === "turn.end") finish();
    });
    socket.addEventListener("close", ({ code, reason }) => { stop(); if (code !== 1000) failed(new Error(reason || "The service closed the connection.")); });
  });
  return { stop, ended };
}
