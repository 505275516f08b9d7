// SPDX-License-Identifier: Apache-2.0
// What to paste into a page or an app, by player. Every value is written as a literal of the language it stands in.

export interface Snippet {
  language: string;
  text: string;
}
export interface Player {
  key: string;
  name: string;
  note: string;
  snippet: (at: { base: string; host: string; key: string }) => Snippet[];
}

const js = (v: string) => JSON.stringify(v).replace(/</g, '\\u003c');
const attribute = (v: string) => v.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');

const data = (key: string, indent: string) => `{
${indent}  env_key: ${js(key)},
${indent}  player_name: "My player",
${indent}  player_init_time: Date.now(),
${indent}  video_id: "my-video",
${indent}  video_title: "My video",
${indent}  viewer_user_id: "anonymous-id-of-the-viewer",
${indent}}`;
const script = (base: string) => `<script src="${attribute(base)}/sdk/mux.js"></script>`;

export const PLAYERS: Player[] = [
  {
    key: 'html5',
    name: 'HTML5 video',
    note: 'The plain <video> element. The SDK comes from this server, so the page needs no third party.',
    snippet: at => [
      {
        language: 'HTML',
        text: `<video id="player" src="video.mp4" controls></video>
${script(at.base)}
<script>
  mux.monitor("#player", {
    beaconCollectionDomain: ${js(at.host)},
    data: ${data(at.key, '    ')},
  });
</script>`,
      },
    ],
  },
  {
    key: 'hls',
    name: 'hls.js',
    note: 'Call monitor before loadSource, so that the first request is seen.',
    snippet: at => [
      {
        language: 'HTML',
        text: `${script(at.base)}
<script type="module">
  import Hls from "hls.js";
  const video = document.querySelector("#player"), hls = new Hls();
  mux.monitor(video, {
    hlsjs: hls, Hls,
    beaconCollectionDomain: ${js(at.host)},
    data: ${data(at.key, '    ')},
  });
  hls.loadSource("video.m3u8");
  hls.attachMedia(video);
</script>`,
      },
    ],
  },
  {
    key: 'dash',
    name: 'dash.js',
    note: 'Attach the source before calling monitor.',
    snippet: at => [
      {
        language: 'HTML',
        text: `${script(at.base)}
<script type="module">
  import dashjs from "dashjs";
  const video = document.querySelector("#player"), player = dashjs.MediaPlayer().create();
  player.initialize(video, "video.mpd", false);
  mux.monitor(video, {
    dashjs: player,
    beaconCollectionDomain: ${js(at.host)},
    data: ${data(at.key, '    ')},
  });
</script>`,
      },
    ],
  },
  {
    key: 'videojs',
    name: 'Video.js',
    note: 'With the npm package videojs-mux.',
    snippet: at => [
      {
        language: 'JavaScript',
        text: `import videojs from "video.js";
import "videojs-mux";

videojs("player", {
  plugins: {
    mux: {
      beaconCollectionDomain: ${js(at.host)},
      data: ${data(at.key, '      ')},
    },
  },
});`,
      },
    ],
  },
  {
    key: 'shaka',
    name: 'Shaka Player',
    note: 'With the npm package @mux/mux-data-shakaplayer.',
    snippet: at => [
      {
        language: 'JavaScript',
        text: `import shaka from "shaka-player";
import initShakaPlayerMux from "@mux/mux-data-shakaplayer";

const player = new shaka.Player();
await player.attach(document.querySelector("#player"));
initShakaPlayerMux(player, {
  beaconCollectionDomain: ${js(at.host)},
  data: ${data(at.key, '  ')},
}, shaka);
await player.load("video.mpd");`,
      },
    ],
  },
  {
    key: 'muxplayer',
    name: 'Mux Player',
    note: 'The element of the npm package @mux/mux-player.',
    snippet: at => [
      {
        language: 'HTML',
        text: `<mux-player
  src="video.m3u8"
  env-key="${attribute(at.key)}"
  beacon-collection-domain="${attribute(at.host)}"
  metadata-video-id="my-video"
  metadata-video-title="My video"
></mux-player>`,
      },
    ],
  },
  {
    key: 'ios',
    name: 'iOS and tvOS',
    note: 'The SDK speaks https only: this server has to be reached by https.',
    snippet: at => [
      {
        language: 'Swift',
        text: `import MUXSDKStats

let player = MUXSDKCustomerPlayerData(environmentKey: ${js(at.key)})
let video = MUXSDKCustomerVideoData()
video.videoId = "my-video"
video.videoTitle = "My video"
let data = MUXSDKCustomerData(customerPlayerData: player, videoData: video, viewData: nil)!
MUXSDKStats.monitorAVPlayerViewController(
    controller, withPlayerName: "My player", customerData: data,
    automaticErrorTracking: true, beaconCollectionDomain: ${js(at.host)})`,
      },
    ],
  },
  {
    key: 'android',
    name: 'Android',
    note: 'The SDK speaks https only: this server has to be reached by https.',
    snippet: at => [
      {
        language: 'Kotlin',
        text: `val video = CustomerVideoData().apply {
    videoId = "my-video"
    videoTitle = "My video"
}
val data = CustomerData().apply { customerVideoData = video }
val options = CustomOptions().setBeaconCollectionDomain(${js(at.host)})
player.monitorWithMuxData(
    context = this, envKey = ${js(at.key)}, customerData = data,
    customOptions = options, playerView = playerView)`,
      },
    ],
  },
  {
    key: 'roku',
    name: 'Roku',
    note: 'The channel speaks https only: this server has to be reached by https.',
    snippet: at => [
      {
        language: 'BrightScript',
        text: `m.mux = m.top.CreateNode("mux")
m.mux.setField("video", m.top.video)
m.mux.setField("config", {
  property_key: ${js(at.key)},
  beaconCollectionDomain: ${js(at.host)},
  player_name: "My player",
  video_id: "my-video",
  video_title: "My video"
})
m.mux.control = "RUN"`,
      },
    ],
  },
];
