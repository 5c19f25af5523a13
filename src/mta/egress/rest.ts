/** How long a destination rests after its n-th failure in a row to open a session: 1 s, doubling, at most 5 minutes. */
export const restMs = (failures: number): number => Math.min(1_000 * 2 ** Math.min(failures - 1, 9), 300_000);
