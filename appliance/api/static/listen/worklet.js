// Hands the microphone's samples on as they come, one channel, a tenth of a second at a time.

class Samples extends AudioWorkletProcessor {
  constructor() {
    super();
    this.kept = [];
    this.count = 0;
  }

  process([input]) {
    const channel = input[0];
    if (!channel) return true;
    this.kept.push(channel.slice());
    this.count += channel.length;
    if (this.count >= sampleRate / 10) {
      const whole = new Int16Array(this.count);
      let at = 0;
      for (const piece of this.kept) for (const value of piece) whole[at++] = Math.max(-1, Math.min(1, value)) * 32767;
      this.port.postMessage(whole.buffer, [whole.buffer]);
      this.kept = [];
      this.count = 0;
    }
    return true;
  }
}

registerProcessor("samples", Samples);
