/** The icons, drawn here: strokes on a grid of 16, in the colour of the text. Decoration only: what they stand for is said in words. */

const PATHS = {
  overview: "M2.5 13.5v-4M6.2 13.5v-8M9.8 13.5v-6M13.5 13.5V2.5",
  topics: "M2.5 4h11M2.5 8h11M2.5 12h7",
  messages: "M2.5 3.5h11v7.5H7l-3 2.5V11H2.5z",
  groups:
    "M5.8 7.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM1.8 13.2c.3-2.3 1.9-3.6 4-3.6s3.7 1.3 4 3.6M10.5 3a2.1 2.1 0 0 1 0 4M11.8 9.8c1.3.5 2.2 1.7 2.4 3.4",
  transactions: "M2.5 5.5h10M9.5 2.5l3 3-3 3M13.5 10.5h-10M6.5 7.5l-3 3 3 3",
  connections:
    "M5.5 10.5l5-5M7 4.5l1.6-1.6a2.7 2.7 0 0 1 3.9 3.9L11 8.5M9 11.5l-1.6 1.6a2.7 2.7 0 0 1-3.9-3.9L5 7.5",
  settings:
    "M2.5 4.5h5M11 4.5h2.5M9.2 6.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM13.5 11.5h-5M5 11.5H2.5M6.8 13.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4z",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3l3.2 3.2",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  up: "M4 10l4-4 4 4",
  left: "M10 4L6 8l4 4",
  play: "M5 3.5v9l7-4.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  download: "M8 2.5v8M4.8 7.5L8 10.7l3.2-3.2M2.5 13.5h11",
  send: "M2.5 8l11-5.5-4 11-2.2-4.3z",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.2 4.5l.6 9h6.4l.6-9",
  warning: "M8 2.5l6 11H2zM8 6.5v3.2M8 11.4v.4",
  check: "M3 8.5l3.2 3.2L13 5",
  reset: "M3 8a5 5 0 1 1 1.5 3.6M3 12.5v-3h3",
  sun: "M8 10.7a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM8 1.8v1M8 13.2v1M1.8 8h1M13.2 8h1M3.6 3.6l.7.7M11.7 11.7l.7.7M12.4 3.6l-.7.7M4.3 11.7l-.7.7",
  moon: "M13.2 9.8A5.6 5.6 0 0 1 6.2 2.8a5.6 5.6 0 1 0 7 7z",
  display: "M2.5 3.5h11v7.5h-11zM6 13.5h4",
  book: "M8 4c-1.4-1-3.2-1.2-5.5-1v9.500c2.300-.2 4.100 0 5.500 1 1.400-1 3.200-1.200 5.500-1V3C11.200 2.800 9.400 3 8 4zM8 4v9.500",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
