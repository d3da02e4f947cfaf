// Takes a calendar file into the field that is sent, so that it can be seen and mended before.

const file = document.getElementById("file");
const source = document.getElementById("source");

document.getElementById("file-field").hidden = false;
file.addEventListener("change", async () => {
  const [chosen] = file.files;
  if (chosen) source.value = await chosen.text();
});
