/** Unix time in milliseconds with fractions; the same clock in every process of this machine. */
export const wallMs = (): number => performance.timeOrigin + performance.now();
