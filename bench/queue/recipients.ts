/** Who the mail of this benchmark is for. */
export const DOMAINS = 5_000;

export const recipient = (index: number): string => `user${index}@d${index % DOMAINS}.example.test`;
